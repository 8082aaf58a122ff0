//! The fixed places of a schema's values in a record.

use super::column::Column;
use super::schema::Schema;
use super::types::Type;

/// The place of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) of: Type,
    /// The null bit; none for a column that is not nullable.
    pub(super) null_bit: Option<usize>,
    /// Bytes from the start of the values; of a variable value, to its end among the ends.
    pub(super) at: usize,
}

/// The places of the values of one schema and family: all columns but those of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub(super) schema: u16,
    /// In the order of the columns, which is that of the null bits of those that are nullable.
    pub(super) cells: Vec<Spot>,
    /// Places among `cells` of those with variable bytes, in the order of the bytes.
    pub(super) variable: Vec<usize>,
    /// The place among `variable` of each cell; none for one of fixed width.
    pub(super) variable_of: Vec<Option<usize>>,
    pub(super) nulls_at: usize,
    /// The number of null bits: one for each nullable cell.
    pub(super) nulls: usize,
    /// The start of the variable bytes, and the least length of values.
    pub(super) bytes_at: usize,
}

impl Layout {
    /// The layout of the columns that are not in the key.
    pub fn new(schema: &Schema, key: &[u16]) -> Layout {
        let columns: Vec<&Column> =
            schema.columns.iter().filter(|column| !key.contains(&column.id)).collect();
        let mut places = vec![0; columns.len()];
        let mut at = 0;
        let mut place = |which: &dyn Fn(&Column) -> bool, width: usize| {
            for (_, place) in columns.iter().zip(&mut places).filter(|(column, _)| which(column)) {
                *place = at;
                at += width;
            }
        };
        let fixed = |width: usize| move |column: &Column| column.of.width() == Some(width);
        let nested = |column: &Column| column.of.is_nested();
        let plain = |column: &Column| column.of.width().is_none() && !column.of.is_nested();
        for width in [16, 8, 4] {
            place(&fixed(width), width);
        }
        place(&nested, 4);
        place(&plain, 4);
        for width in [2, 1] {
            place(&fixed(width), width);
        }
        let nulls_at = at;
        let nested_first =
            |want: bool| columns.iter().enumerate().filter(move |(_, c)| c.of.is_nested() == want);
        let variable = nested_first(true).chain(nested_first(false).filter(|(_, c)| c.of.width().is_none()));
        let variable: Vec<usize> = variable.map(|(place, _)| place).collect();
        let mut variable_of = vec![None; columns.len()];
        variable.iter().zip(0..).for_each(|(cell, place)| variable_of[*cell] = Some(place));
        let nulls = columns.iter().filter(|column| column.nullable).count();
        let end = nulls_at + nulls.div_ceil(8);
        let bytes_at =
            if columns.iter().any(|c| c.of.is_nested()) { super::little::padded(end) } else { end };
        let mut bits = 0..nulls;
        let cells = columns.iter().zip(places).map(|(column, at)| Spot {
            id: column.id,
            name: column.name.clone(),
            of: column.of.clone(),
            null_bit: column.nullable.then(|| bits.next()).flatten(),
            at,
        });
        let cells = cells.collect();
        Layout { schema: schema.id, cells, variable, variable_of, nulls_at, nulls, bytes_at }
    }

    /// The id of the schema.
    pub fn schema(&self) -> u16 {
        self.schema
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::column;
    use super::*;

    fn layout(types: &[Type]) -> Layout {
        layout_of(types, |_| true)
    }

    fn layout_of(types: &[Type], nullable: impl Fn(u16) -> bool) -> Layout {
        let columns = types.iter().zip(1..).map(|(of, id)| column(id, of.clone(), nullable(id)));
        let key = column(0, Type::Long, false);
        Layout::new(&Schema { id: 7, columns: [key].into_iter().chain(columns).collect() }, &[0])
    }

    #[test]
    fn wide_values_come_first_and_ends_are_aligned() {
        let wide = Type::Decimal { precision: 38, scale: 0 };
        let array = Type::Array(Box::new(Type::Int));
        let layout = layout(&[Type::Boolean, Type::String, Type::Short, Type::Int, array, Type::Long, wide]);
        let places: Vec<usize> = layout.cells.iter().map(|cell| cell.at).collect();
        assert_eq!(places, [38, 32, 36, 24, 28, 16, 0]);
        assert_eq!((layout.variable.as_slice(), layout.nulls_at, layout.bytes_at), (&[4, 1][..], 39, 40));
    }

    #[test]
    fn a_table_may_have_its_key_alone() {
        let layout = layout(&[]);
        assert_eq!((layout.nulls_at, layout.bytes_at, layout.cells.len()), (0, 0, 0));
    }

    #[test]
    fn without_nested_values_nothing_is_padded() {
        let layout = layout(&[Type::String, Type::Byte]);
        assert_eq!((layout.nulls_at, layout.bytes_at), (5, 6));
    }

    #[test]
    fn columns_that_are_not_nullable_have_no_null_bits() {
        let longs = layout_of(&vec![Type::Long; 12], |_| false);
        assert_eq!((longs.nulls_at, longs.nulls, longs.bytes_at), (96, 0, 96));
        let odd = layout_of(&vec![Type::Byte; 20], |id| id % 2 == 1);
        let bits: Vec<Option<usize>> = odd.cells.iter().map(|cell| cell.null_bit).take(4).collect();
        assert_eq!((bits, odd.nulls, odd.bytes_at), (vec![Some(0), None, Some(1), None], 10, 22));
    }
}
